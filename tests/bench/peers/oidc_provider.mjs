// The smallest oidc-provider that issues what we issue: client credentials, an ES256 access token as a JWT, everything in memory.
// usage: node oidc_provider.mjs FOLDER_WITH_NODE_MODULES PORT
import { generateKeyPairSync } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [home, port] = process.argv.slice(2);
const { Provider } = await import(pathToFileURL(createRequire(join(home, 'from.js')).resolve('oidc-provider')).href);
const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
const token = { scope: 'api:read', audience: 'urn:api', accessTokenTTL: 300, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } };

const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: { keys: [{ ...jwk, use: 'sig', alg: 'ES256' }] },
  scopes: ['api:read'],
  clients: [{
    client_id: 'bench', client_secret: 'bench-secret', token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'], response_types: [], redirect_uris: [], scope: 'api:read',
    id_token_signed_response_alg: 'ES256',
  }],
  ttl: { ClientCredentials: 300 },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true, defaultResource: () => 'urn:api', useGrantedResource: () => true, getResourceServerInfo: () => token,
    },
  },
});
provider.on('server_error', (_, error) => console.error(error));
provider.listen(Number(port), '127.0.0.1');
