"""The admin site object: our name and our words on Django's stock admin."""

from django.contrib.admin import AdminSite


class StewardAdmin(AdminSite):
    """Stock admin, our words."""

    site_header = "Steward"
    site_title = "Steward"
    index_title = "Administration"
    site_url = "/"
