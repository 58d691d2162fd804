"""What students do with an assignment: start it, check it, be told what tests do not show, hand it in."""
