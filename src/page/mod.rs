//! The local page: a server on this computer for one person, who sees the guided job in a browser.
//!
//! It knows nothing of boards and scooters. What a tab asks for is put to a [`Desk`] as a [`Wish`]; what is told to the
//! [`Feed`] is shown in every tab. Hostile pages may be open in the next tab, so every request has to pass the guard: the
//! exact host and origin, a cookie that only the opened address gives, and a header that no form can send.

mod allowance;
mod assets;
mod desk;
mod feed;
mod guard;
mod requests;
mod running;
mod server;

pub use self::{
    allowance::Allowance,
    desk::{Desk, Reply, Wish},
    feed::Feed,
    running::RunningPage,
    server::Server,
};
