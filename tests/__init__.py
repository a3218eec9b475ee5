"""Tests by what they need: unit, integration, acceptance, migrations, rules."""
