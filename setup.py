"""What setup.cfg cannot say: the folder lectures/ is installed as minidl.lectures."""
from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["minidl", "minidl.*"]), "minidl.lectures", "minidl.lectures.pictures"],
      package_dir={"minidl.lectures": "lectures"})
