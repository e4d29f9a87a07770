"""The rules, one file for each subject. A rule is data and one pure function over documents."""
