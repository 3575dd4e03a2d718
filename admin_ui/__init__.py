"""The screens: server-rendered pages in Portuguese over the same acts as the API.

Texts: Padrão Digital de Governo (look and components), eMAG 3.1, ABNT NBR 17225:2025 and WCAG 2.2 AA (accessibility),
MT128 art. 11 (the public catalogue). One view module and one template per screen, named alike; a view parses, calls
one act or question and renders. Authorization is inside the act, so that a screen cannot do what the API refuses. No
script runs in any page, no page loads anything from another host, and every POST carries the token of its session.

===============  ==================================================================================================
app              the Flask application: routes, the edge between WSGI and :class:`admin_ui.visit.Visit`
visit            one request as a view sees it, and how it answers
guard            response headers, the token against forged forms, where a redirect may go
text             how values read: legal time, states, CPF
the others       one screen each; ``templates/<name>.html`` beside it
===============  ==================================================================================================
"""
