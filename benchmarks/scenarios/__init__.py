"""One file a measurement: `ORDER`, its place in the table, and `measure(house, size) -> Result`."""
