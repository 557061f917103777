"""How dates and times are written where Django writes them: the admin. Named by FORMAT_MODULE_PATH, one folder a language."""
