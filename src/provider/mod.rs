//! Those who answer: remote providers over WebSocket.
pub mod remote;
