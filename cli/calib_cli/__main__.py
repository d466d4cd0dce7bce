"""``python -m calib_cli``: the program, where its script is not on the path."""

from calib_cli.main import main

main()
