"""Parameters: read strictly from JSON, described, and masked."""

import pytest
from django import forms as django_forms

from config.acts.running import forms
from config.kernel.flow.errors import InvalidInput

pytestmark = pytest.mark.pure


class Form(django_forms.Form):
    url = django_forms.URLField(assume_scheme="https")
    retries = django_forms.IntegerField(required=False, initial=3, min_value=0, max_value=9)
    share = django_forms.DecimalField(required=False)
    pause = forms.Length(required=False, initial=60, help_text="Before it goes on.")
    hosts = forms.Words(required=False)
    body = forms.JSON(required=False, kind=dict)
    level = django_forms.ChoiceField(required=False, choices=[("low", "Low"), ("high", "High")], initial="low")
    since = django_forms.DateTimeField(required=False)
    is_dry = django_forms.BooleanField(required=False)
    token = django_forms.CharField(required=False, widget=django_forms.PasswordInput)

    def clean(self):
        if self.cleaned_data.get("level") == "high" and not self.cleaned_data.get("token"):
            raise django_forms.ValidationError("A high level needs a token.")
        return self.cleaned_data


def problems(**given):
    with pytest.raises(InvalidInput) as caught:
        forms.clean(Form, {"url": "https://example.com", **given})
    return caught.value.fields


def test_what_is_left_out_has_its_default_and_every_value_is_json():
    found = forms.clean(
        Form, {"url": "https://example.com", "share": "1.5", "pause": "1h30m", "hosts": [" a ", "b", ""], "body": {"x": [1]}}
    )
    assert found["url"].startswith("https://example.com")
    assert {name: found[name] for name in ("retries", "share", "pause", "hosts", "body", "level", "is_dry", "token")} == {
        "retries": 3,
        "share": 1.5,
        "pause": 5400,
        "hosts": ["a", "b"],
        "body": {"x": [1]},
        "level": "low",
        "is_dry": False,
        "token": "",
    }


def test_an_unknown_name_is_refused_with_the_nearest():
    assert problems(retrys=1) == {"retrys": ["There is no such parameter. Did you mean retries?"]}
    assert "There are: url, retries" in problems(zzz=1)["zzz"][0]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"url": None}, "url"),
        ({"url": 5}, "url"),
        ({"url": ["https://example.com"]}, "url"),
        ({"retries": 10}, "retries"),
        ({"retries": True}, "retries"),
        ({"retries": 1.5}, "retries"),
        ({"pause": "soon"}, "pause"),
        ({"pause": -1}, "pause"),
        ({"pause": True}, "pause"),
        ({"pause": "nan"}, "pause"),
        ({"hosts": [1]}, "hosts"),
        ({"hosts": {"a": 1}}, "hosts"),
        ({"body": [1]}, "body"),
        ({"body": "{"}, "body"),
        ({"body": "9" * 5000}, "body"),
        ({"body": '{"a": NaN}'}, "body"),
        ({"body": '{"a": "\\ud800"}'}, "body"),
        ({"body": '{"a": "\\u0000"}'}, "body"),
        ({"body": '{"a": "\ud800"}'}, "body"),
        ({"body": "[" * 5000 + "]" * 5000}, "body"),
        ({"since": 5}, "since"),
        ({"since": 1.5}, "since"),
        ({"level": "middle"}, "level"),
        ({"is_dry": "perhaps"}, "is_dry"),
        ({"token": {"a": 1}}, "token"),
        ({"level": "high"}, "params"),
    ],
)
def test_a_value_of_the_wrong_kind_names_its_field(given, field):
    assert list(problems(**given)) == [field]


def test_parameters_that_are_no_object_are_refused():
    with pytest.raises(InvalidInput):
        forms.clean(Form, ["url"])


def test_what_was_cleaned_is_taken_again_and_stays_the_same():
    once = forms.clean(Form, {"url": "https://example.com/", "pause": "5m", "hosts": ["a"], "body": {"a": "b"}})
    assert forms.clean(Form, once) == once


def test_an_empty_object_stays_one_and_text_is_read_as_json_where_it_must_be():
    assert forms.clean(Form, {"url": "https://example.com", "body": {}})["body"] == {}
    assert forms.clean(Form, {"url": "https://example.com", "body": '{"a": 1}'})["body"] == {"a": 1}


def test_the_schema_says_what_the_form_takes():
    found = forms.schema(Form)
    assert found["required"] == ["url"]
    assert found["additionalProperties"] is False
    assert found["properties"]["retries"] == {"type": "integer", "title": "Retries", "default": 3, "minimum": 0, "maximum": 9}
    assert found["properties"]["level"]["enum"] == ["low", "high"]
    assert found["properties"]["hosts"] == {"type": "array", "items": {"type": "string"}, "title": "Hosts"}
    assert found["properties"]["pause"]["description"].startswith("Before it goes on. · seconds")
    assert found["properties"]["token"] == {"type": "string", "title": "Token", "format": "password", "writeOnly": True}


def test_secrets_are_masked_by_widget_and_by_telling_names_inside():
    assert forms.secret_names(Form) == {"token"}
    shown = forms.masked(Form, {"token": "hunter2", "body": {"password": "hunter2", "x": 1}, "url": "https://a.example"})
    assert shown == {"token": "********", "body": {"password": "********", "x": 1}, "url": "https://a.example"}
    assert forms.masked(None, {"anything": "hunter2"}) == {"anything": "********"}, "nobody knows what is secret in it"
