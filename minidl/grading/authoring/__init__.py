"""What instructors do with an assignment: begin one, build it from a solution, verify it, release it."""
