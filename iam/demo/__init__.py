"""``portaria demo``: the main job on real input, in a terminal, on this machine alone.

:mod:`iam.demo.world` makes the installation (database, test authority, people, clients), :mod:`iam.demo.story` plays the
main job against the running server as an outsider would, :mod:`iam.demo.run` puts both together and goes on serving.
"""
