import openai._base_client
import pytest


@pytest.fixture
def waits(monkeypatch):
    """Let the SDK's waits before retries take no time; return the list of their seconds."""
    seconds = []
    monkeypatch.setattr(openai._base_client.time, 'sleep', seconds.append)
    return seconds
