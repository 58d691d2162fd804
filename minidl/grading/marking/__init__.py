"""From submissions to marks: the tests, which call a submission through a proxy, their results, and the gradebook."""
