"""How the pages for people look and behave: shared by the dashboard rooms of all apps and by the roof."""
