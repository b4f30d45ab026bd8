//! Those who answer: remote providers over WebSocket, plugins in Wasm.
mod place;
pub mod plugin;
pub mod remote;
mod tool_set;
