"""The pages of automation. Each module is one page or one contribution to a page of the roof; this one fills the navigation."""

from config.kernel.plugins.contracts import Page, pages

RECORDS, SEE, MAKE = "Records", "metrics:view", "actions:execute_standard"

pages.register("automation.metrics", Page("Metrics", "/system/metrics", "Metrics", 610, "metrics:view"))
pages.register("automation.reports", Page("Reports", "/reports", RECORDS, 830, SEE))
pages.register("automation.backups", Page("Backups", "/backups", RECORDS, 840, SEE))
