def centre_each(module, arrays):
    return [module.centre(x) for x in arrays]
