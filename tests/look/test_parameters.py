"""The fields of a chosen plug-in within another form: drawn, checked, redrawn without losing what was typed, secrets kept."""

import pytest
from django import forms
from django.http import QueryDict

from config.kernel.plugins.registry import Registry
from config.look.parameters import STORED, DrawsParameters, ParametersField, choices_of

pytestmark = pytest.mark.pure


class Call(forms.Form):
    url = forms.URLField(assume_scheme="https", help_text="Where to.")
    tries = forms.IntegerField(initial=3, min_value=1)
    is_quiet = forms.BooleanField(required=False, initial=True)
    password = forms.CharField(required=False, widget=forms.PasswordInput)


class Note(forms.Form):
    url = forms.CharField()
    words = forms.CharField(initial="hello")


class Plugin:
    def __init__(self, title, parameters):
        self.title, self.about, self.Parameters = title, f"About {title}.", parameters


KINDS = Registry("kinds")
KINDS.register("demo.call", Plugin("Call", Call))
KINDS.register("demo.note", Plugin("A note", Note))


class Outer(DrawsParameters, forms.Form):
    name = forms.CharField()
    kind = forms.ChoiceField(choices=lambda: choices_of(KINDS, empty="Choose"))
    params = ParametersField(KINDS, chosen_by="kind")


GOOD = {"name": "x", "kind": "demo.call", "params-plugin": "demo.call", "params-url": "https://a.example/", "params-tries": "2"}


def outer(data=None, initial=None, **changes):
    if data is None:
        return Outer(initial=initial)
    typed = QueryDict(mutable=True)
    typed.update({**data, **{key.replace("__", "-"): value for key, value in changes.items()}})
    return Outer(typed, initial=initial)


def test_plugins_are_offered_by_title():
    assert choices_of(KINDS, empty="Choose") == [("", "Choose"), ("demo.note", "A note"), ("demo.call", "Call")]


def test_without_a_choice_it_says_what_will_be_asked():
    assert "once you have chosen" in str(outer()["params"])


def test_the_fields_of_the_stored_choice_are_drawn_with_its_values_but_not_its_secret():
    stored = {"url": "https://kept.example/", "tries": 9, "password": "open sesame"}
    drawn = str(outer(initial={"kind": "demo.call", "params": stored})["params"])
    assert 'value="https://kept.example/"' in drawn
    assert 'value="9"' in drawn
    assert "About Call." in drawn
    assert ">URL<" in drawn.replace(" <", "<"), "our names are spelt as people spell them"
    assert "sesame" not in drawn
    assert STORED in drawn


def test_the_cleaned_values_are_what_the_plugins_form_makes_of_them():
    form = outer(GOOD)
    assert form.is_valid(), form.errors
    assert form.cleaned_data["params"] == {"url": "https://a.example/", "tries": 2, "is_quiet": False, "password": ""}


def test_a_mistake_is_shown_beside_the_plugins_own_field():
    form = outer(GOOD, params__tries="0")
    assert not form.is_valid()
    assert form.errors["params"] == ["Look at what is marked here."]
    assert "greater than or equal to 1" in str(form["params"])


def test_a_secret_that_is_left_empty_stays_as_it_is_stored():
    stored = {"kind": "demo.call", "params": {"url": "https://a.example/", "password": "open sesame"}}
    assert outer(GOOD, initial=stored, params__password="").is_valid()
    form = outer(GOOD, initial=stored)
    assert form.is_valid()
    assert form.cleaned_data["params"]["password"] == "open sesame"


def test_a_secret_of_another_plugin_is_not_taken_over():
    form = outer(GOOD, initial={"kind": "demo.note", "params": {"url": "u", "password": "open sesame"}})
    assert form.is_valid()
    assert form.cleaned_data["params"]["password"] == ""


def test_redrawing_shows_the_new_fields_with_what_was_typed_and_saves_nothing():
    form = outer(GOOD, kind="demo.note", name="", params__url="typed here", _redraw="params")
    assert not form.is_valid()
    assert form.errors == {}
    drawn = str(form["params"])
    assert 'value="typed here"' in drawn
    assert 'value="hello"' in drawn, "a field that was not shown yet starts with its own default"
    assert 'name="params-tries"' not in drawn
    assert "required" not in drawn


def test_redrawing_the_same_plugin_keeps_an_unticked_box_unticked_and_another_one_starts_ticked():
    assert "checked" not in str(outer(GOOD, _redraw="params")["params"])
    assert "checked" in str(outer(GOOD, params__plugin="demo.note", _redraw="params")["params"])


def test_a_secret_just_typed_survives_redrawing():
    assert "fresh one" in str(outer(GOOD, params__password="fresh one", _redraw="params")["params"])


def test_fields_of_another_plugin_than_the_chosen_one_are_not_saved():
    form = outer(GOOD, kind="demo.note")
    assert not form.is_valid()
    assert "your new choice" in form.errors["params"][0]
    assert 'name="params-words"' in str(form["params"])


def test_a_plugin_that_is_gone_says_so():
    assert "demo.gone is installed here any more" in str(outer(initial={"kind": "demo.gone", "params": {}})["params"])
