"""The pages that belong to no app: they ask the registries what the apps have to say.

`frame` is the context processor behind `templates/frame.html`.
"""

from config.dashboard.navigation import frame

__all__ = ["frame"]
