//! All tests that see the hub from outside, in one binary.

mod tidy;
