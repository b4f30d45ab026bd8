//! Pages for people.
pub mod status;
