"""Reports: queries behind them, their JSON, their files and the jobs that make them."""
