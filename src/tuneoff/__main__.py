"""python -m tuneoff"""

from tuneoff.cli.main import app

app()
