//! The fixture with houses whose ledgers are SQLite files.

use crate::books::fixture;
pub use crate::books::fixture::*;

pub struct House(fixture::House);

impl House {
    pub fn new() -> Self {
        Self(fixture::House::on(Engine::Sqlite))
    }
}

impl std::ops::Deref for House {
    type Target = fixture::House;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
