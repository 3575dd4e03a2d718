"""ICP-Brasil certificates: who holds one, whether its chain ends in the national root, and whether it still stands.

Texts: DOC-ICP-04 v8.1, Resolução CG ICP-Brasil 211/2024, RFC 5280, RFC 8705 (thumbprints and names).
Nothing here opens a network connection or decides what a holder may do.
"""
