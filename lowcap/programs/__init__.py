"""What each lowcapd command runs."""
