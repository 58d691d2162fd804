# Tries: a list that holds itself.
# Statuses: error


def centre(x):
    answer = []
    answer.append(answer)
    return answer
