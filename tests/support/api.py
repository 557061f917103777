"""A caller of the API with a token of a given role, and the few words tests need to speak to it."""

import json
from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client

from config.kernel.desk import tokens

ADMIN, OPERATOR, VIEWER = "automation_admin", "automation_operator", "automation_viewer"


class Caller:
    """Calls as a fresh user in `role`; None calls without credentials."""

    def __init__(self, role: str | None = ADMIN, *, name: str = "") -> None:
        self.client = Client(raise_request_exception=False)
        self.headers: dict[str, str] = {}
        if role is not None:
            user, _ = User.objects.get_or_create(username=name or f"a-{role}")
            user.groups.add(Group.objects.get(name=role))
            self.user = user
            self.headers["Authorization"] = f"Bearer {tokens.create(user, name='test')[1]}"

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(path, query, headers=self.headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self._send("post", path, body, headers)

    def put(self, path: str, body: Any = None) -> Any:
        return self._send("put", path, body, {})

    def patch(self, path: str, body: Any = None) -> Any:
        return self._send("patch", path, body, {})

    def delete(self, path: str) -> Any:
        return self.client.delete(path, headers=self.headers)

    def _send(self, verb: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        content = body if isinstance(body, str | bytes) else "" if body is None else json.dumps(body)
        return getattr(self.client, verb)(path, content, content_type="application/json", headers={**self.headers, **headers})
