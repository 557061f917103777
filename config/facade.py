"""All Python names that the requirements print, in one place: `from config.facade import start_autonomous_operations, …`.

Django must be set up (`manage.py shell`, or `django.setup()` in a script). Each name is a call of a service of its app.
"""

from asgiref.sync import sync_to_async

from automation.facade import (
    AlertSeverity,
    AutomationAction,
    AutomationConfig,
    AutomationEngine,
    AutomationLevel,
    AutomationTrigger,
    AutonomousController,
    add_rule,
    astart_autonomous_operations,
    atrigger_manual_execution,
    autonomous_controller,
    get_automation_status,
    get_execution_history,
    start_autonomous_operations,
    stop_autonomous_operations,
    trigger_manual_execution,
)
from webhooks.facade import (
    WebhookConfig,
    WebhookEvent,
    WebhookSecurityType,
    WebhookService,
    get_system_stats,
    register_webhook,
    trigger_event,
)

__all__ = [
    "AlertSeverity",
    "AutomationAction",
    "AutomationConfig",
    "AutomationEngine",
    "AutomationLevel",
    "AutomationTrigger",
    "AutonomousController",
    "WebhookConfig",
    "WebhookEvent",
    "WebhookSecurityType",
    "WebhookService",
    "add_rule",
    "astart_autonomous_operations",
    "atrigger_event",
    "atrigger_manual_execution",
    "autonomous_controller",
    "get_automation_status",
    "get_execution_history",
    "get_system_stats",
    "register_webhook",
    "start_autonomous_operations",
    "stop_autonomous_operations",
    "trigger_event",
    "trigger_manual_execution",
]

atrigger_event = sync_to_async(trigger_event)
