"""Whom the tests of pages begin with."""

from __future__ import annotations

import pytest

from accounts.models import Role, User
from tests.views.scene import Scene


@pytest.fixture
def scene(db: None) -> Scene:
    return Scene()


@pytest.fixture
def hr(scene: Scene) -> User:
    return scene.user(Role.HR)
