"""The acts of the norms, in the norms' own nouns. Each file holds one noun: its table, its questions and its acts.

========================  ==============================================================================================
sujeito                   whoever rights or duties rest on: a pessoa, an órgão, a client; bears the epoch
pessoa                    a natural person, one per CPF (requirements §2)
orgao                     a unit or organisation (MT128 art. 2: gestor, cadastrador and cliente are units)
vinculo                   a person's tie to an órgão; one CPF may hold several (GAP-ALL-03)
credencial                what proves who somebody is: senha, TOTP, certificado
concessao                 the right of a sujeito to a perfil of a sistema (MT128 art. 2 VIII: privilégio de acesso)
client                    a program registered to ask for tokens (RFC 6749 §2), acting for its órgão
evento                    what the HR source tells and its effect (MT128 art. 13)
recibo                    the signed proof of where an evento was seen to have taken effect
pendencia                 what waits for the decision of a person
fonte                     a source of events, bound to its client and its órgãos
papel                     facts turned into the words that policy lines use
========================  ==============================================================================================

Acts that need to know where a person stands (:mod:`~iam.atos.situacao`, a fold over her events) are files of their own, named by
what they do: ``receber``, ``desfazer``, ``conceder``, ``abrir``.

Every act reads require, change, record, mark. Acts know nothing of ``oauth``: they raise epochs.
"""
