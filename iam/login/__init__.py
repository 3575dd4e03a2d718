"""How a person proves who they are: password, one-time code, certificate. Pure functions; who asks keeps the rows.

Texts: RFC 9106 (Argon2), RFC 6238 (TOTP), DOC-ICP-04. Nothing here decides whether the person may enter.
"""
