"""The pages of healing. Each module is one page or one contribution to a page of the roof; this one fills the navigation."""

from config.kernel.plugins.contracts import Page, pages

SEE, ACT, KEEP, RUN = "healing:view", "healing:execute", "system:admin", "actions:execute_standard"

pages.register("healing.services", Page("Services", "/services", "Healing", 510, SEE))
