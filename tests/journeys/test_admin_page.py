"""The admin's pages in a real browser, under the policy that forbids inline scripts and styles."""

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def test_the_admin_works_under_the_strict_policy(
    page: Page, live_server: LiveServer, transactional_db: None, complaints: list[str]
) -> None:
    User.objects.create_superuser("boss", password="a long enough password")
    page.goto(f"{live_server.url}/admin/")
    page.get_by_label("Username").fill("boss")
    page.get_by_label("Password").fill("a long enough password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="LabelHub admin")).to_be_visible()
    page.get_by_role("link", name="Users").first.click()
    page.get_by_role("link", name="boss").click()
    page.get_by_label("First name").fill("Beth")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    assert User.objects.get().first_name == "Beth"
