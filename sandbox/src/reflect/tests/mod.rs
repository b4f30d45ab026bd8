//! Tests of the module as a whole: types one by one, and components.

mod components;
mod types;
