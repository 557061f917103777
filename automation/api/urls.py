"""Addresses of the API of automation: the canonical ones, then the compatibility routes as they are printed."""

from django.urls import path

from automation.api import alerts, backups, catalogue, compat, control, executions, metrics, queues, reports, rules, trials

# Fixed routes before those with an id.
canonical = [
    path("automation/rules", rules.Rules.as_view()),
    path("automation/rules/try", trials.TryDraft.as_view()),
    path("automation/rules/backtest", trials.BackTestDraft.as_view()),
    path("automation/rules/<str:rule_id>", rules.OneRule.as_view()),
    path("automation/rules/<str:rule_id>/mode", rules.RuleMode.as_view()),
    path("automation/rules/<str:rule_id>/execute", rules.ExecuteRule.as_view()),
    path("automation/rules/<str:rule_id>/try", trials.TryRule.as_view()),
    path("automation/rules/<str:rule_id>/backtest", trials.BackTestRule.as_view()),
    path("automation/rules/<str:rule_id>/verdicts", rules.VerdictsOfRule.as_view()),
    path("automation/rules/<str:rule_id>/warnings", rules.RuleWarnings.as_view()),
    path("automation/verdicts", rules.Verdicts.as_view()),
    path("automation/executions", executions.Executions.as_view()),
    path("automation/executions/<str:execution_id>", executions.OneExecution.as_view()),
    path("automation/executions/<str:execution_id>/cancel", executions.CancelExecution.as_view()),
    path("automation/start", control.Start.as_view()),
    path("automation/stop", control.Stop.as_view()),
    path("automation/status", control.Status.as_view()),
    path("automation/config", control.Config.as_view()),
    path("automation/config/profile", control.ApplyProfile.as_view()),
    path("automation/triggers", catalogue.Triggers.as_view()),
    path("automation/names", catalogue.Names.as_view()),
    path("automation/conditions/check", catalogue.CheckCondition.as_view()),
    path("alerts/rules", alerts.AlertRules.as_view()),
    path("alerts/rules/<str:rule_id>", alerts.OneAlertRule.as_view()),
    path("system/metrics", metrics.Metrics.as_view()),
    path("system/metrics/<str:name>", metrics.OneMetric.as_view()),
    path("automation/queues", queues.Queues.as_view()),
    path("automation/queues/<str:name>", queues.OneQueue.as_view()),
    path("automation/queues/<str:name>/pause", queues.PauseQueue.as_view()),
    path("automation/queues/<str:name>/resume", queues.ResumeQueue.as_view()),
    path("automation/queues/<str:name>/clear-errors", queues.ClearErrors.as_view()),
    path("automation/queues/<str:name>/requeue-failed", queues.RequeueFailed.as_view()),
    path("automation/queues/<str:name>/items", queues.Items.as_view()),
    path("automation/queues/<str:name>/items/batch", queues.ItemBatch.as_view()),
    path("automation/queues/<str:name>/items/<str:item_id>", queues.OneItem.as_view()),
    path("automation/queues/<str:name>/items/<str:item_id>/retry", queues.RetryItem.as_view()),
    path("automation/queues/<str:name>/items/<str:item_id>/cancel", queues.CancelItem.as_view()),
    path("automation/reports", reports.Reports.as_view()),
    path("automation/reports/<str:report_id>", reports.OneReport.as_view()),
    path("automation/reports/<str:report_id>/download", reports.DownloadReport.as_view()),
    path("automation/backups", backups.Backups.as_view()),
    path("automation/backups/<str:backup_id>", backups.OneBackup.as_view()),
    path("automation/backups/<str:backup_id>/verify", backups.VerifyBackup.as_view()),
]

compatibility = [
    path("api/autonomous/system/metrics", metrics.AutonomousMetrics.as_view()),
    path("api/autonomous/automation/start", compat.AutonomousStart.as_view()),
    path("api/autonomous/automation/stop", compat.AutonomousStop.as_view()),
    path("api/autonomous/automation/status", compat.AutonomousStatus.as_view()),
    path("api/autonomous/automation/rules", compat.AutonomousRules.as_view()),
    path("api/autonomous/automation/rules/<str:rule_id>", compat.AutonomousRule.as_view()),
    path("api/autonomous/automation/rules/<str:rule_id>/execute", compat.AutonomousExecute.as_view()),
    path("api/autonomous/automation/executions", compat.AutonomousExecutions.as_view()),
]
