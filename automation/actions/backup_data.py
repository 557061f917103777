"""The action `automation.backup_data`: an archive of data that was read back before it counts."""

from collections.abc import Mapping
from typing import Any

from automation.forms.backups import BackupForm
from automation.services import backups
from config.acts.plugins.actions import Action, Call, actions
from config.kernel.flow.errors import PermanentError
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome


class BackupData(Action):
    """In a process of its own: it reads files and runs PostgreSQL's programs."""

    title = "Back up data"
    about = "Archives the database, files and the configuration under DATA_DIR/backups, reads the archive back, and removes old ones."
    runs = "child"
    effect = "idempotent"
    timeout_seconds = 6 * 3600
    Parameters = BackupForm

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """The output names the backup, its size and its checksum."""
        whole = {"retention_days": params["retention_days"], "created_by": call.owner, "key": call.key or None}
        try:
            made = backups.create(params["backup_types"], **whole)
        except PermanentError as error:
            return NotConfigured(error.message) if error.code == "not_configured" else Failed(error.code, error.message)
        return Done({"backup": made.uid, "size": made.size, "sha256": made.sha256, "types": made.types})

    def target(self, params: Mapping[str, Any]) -> str:
        """Two at once would only wait for each other."""
        return "backups:data"

    def summary(self, params: Mapping[str, Any]) -> str:
        """What of."""
        days = params["retention_days"]
        return f"Back up {', '.join(params['backup_types'])}, keep {days} day{'' if days == 1 else 's'}"


actions.register("automation.backup_data", BackupData(), module=__name__)
