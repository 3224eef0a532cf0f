//! Finding images by what they are, in folders full of files.
