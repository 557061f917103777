"""`/docs`: readable wide and narrow, nothing refused by the policy, nothing asked of strangers, and a token works."""


def test_with_a_token_a_call_is_tried_from_the_page(watched, house):
    page = watched()
    page.goto(f"{house.url}/docs")
    page.get_by_text("To begin").wait_for()
    page.get_by_role("button", name="Authorize").first.click()
    scheme = page.locator(".auth-container", has_text="Bearer")
    scheme.locator("input").fill(house.token)
    scheme.locator("button.authorize").click()
    page.locator(".btn-done").first.click()
    page.locator("#operations-tag-sources").click()
    operation = page.locator("#operations-sources-sources_list")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    assert operation.locator(".live-responses-table .response td.response-col_status").first.inner_text().startswith("200")
