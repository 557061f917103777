"""The pages of automation. Each module is one page or one contribution to a page of the roof; this one fills the navigation."""

from config.kernel.plugins.contracts import Page, pages

pages.register("automation.metrics", Page("Metrics", "/system/metrics", "Metrics", 610, "metrics:view"))
