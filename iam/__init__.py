"""Portaria: who may enter, on whose authority, under which article; and out everywhere at once.

The map of the house. Which document are you holding?

=================================  ==============================================================================
a regulation: what it says         ``policies/<norma>/`` (data only)
a regulation: what we do about it  :mod:`iam.atos` (Portuguese, the norm's own nouns)
an RFC or OpenID specification     :mod:`iam.oauth`, :mod:`iam.authzen`
ICP-Brasil                         :mod:`iam.icp_brasil`
how a person proves who they are   :mod:`iam.login`
another system's manual            ``connectors/``, :mod:`iam.realm`
none: our own mechanism            the modules and folders beside this file
the screen                         ``admin_ui/``
=================================  ==============================================================================

One chain: ``Ato`` → :meth:`iam.policy.Policy.decide` → ``Decision`` (with its article) → rows change →
:mod:`iam.journal` records the decision → :mod:`iam.outbox` marks who may be wrong elsewhere → :mod:`iam.worker`
makes every target agree and looks again.
"""
