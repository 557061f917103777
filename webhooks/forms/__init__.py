"""What a person may type about endpoints, sources and replays. Checked by the services; here is only how it is asked."""
