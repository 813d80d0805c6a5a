//! The places of a stream's tool calls, one for each.
//!
//! Clients put a call together from the pieces that share an `index`. Some hosts give every call the same one and tell them apart by
//! their ids alone, others give no place, or no id. **A provider that counts is copied as it counts.**

/// Beyond this, places are what the provider says.
const CALLS_MAX: usize = 256;

/// The calls of all choices so far.
#[derive(Debug, Default)]
pub(super) struct ToolPlaces {
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    choice: u32,
    /// The provider's place for it, if it has one.
    told: Option<u32>,
    /// As it stands between quotes; empty until it is told.
    id: Box<[u8]>,
    /// The client's.
    given: u32,
    /// Its id was made here: the provider gave none in time.
    is_made: bool,
}

/// What the client is told of a call at one of its pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub place: u32,
    pub id: Id,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Id {
    /// As the provider has it.
    AsTold,
    /// One that is made here: nobody could answer a call without.
    Made,
    /// Nothing: the client knows the call by another one.
    Nothing,
}

/// A piece of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub choice: u32,
    /// The provider's place for the call. Without one, a name begins another call, and anything else goes on with the latest.
    pub told: Option<u32>,
    pub id: &'a [u8],
    /// Whether it names what is called: the beginning of a call does.
    pub is_named: bool,
}

impl ToolPlaces {
    /// What the client is told of the call this is a piece of.
    pub(super) fn of(&mut self, piece: Piece<'_>) -> Placed {
        let Some(call) = self.call(piece) else { return Placed { place: piece.told.unwrap_or(0), id: Id::AsTold } };
        let is_nameless = call.id.is_empty() && piece.is_named && !call.is_made;
        call.is_made |= is_nameless;
        let id = match (is_nameless, call.is_made && !piece.id.is_empty()) {
            (true, _) => Id::Made,
            (false, true) => Id::Nothing,
            (false, false) => Id::AsTold,
        };
        Placed { place: call.given, id }
    }

    /// The call this is a piece of, begun where there is none; `None` where there are too many.
    fn call(&mut self, piece: Piece<'_>) -> Option<&mut Call> {
        let Piece { choice, told, id, is_named } = piece;
        let latest = self.calls.iter().rposition(|call| {
            let is_meant = match told {
                Some(place) => call.told == told || (call.told.is_none() && call.given == place),
                None => !is_named || (!id.is_empty() && *call.id == *id),
            };
            call.choice == choice && is_meant
        });
        if let Some(place) = latest {
            let call = &mut self.calls[place];
            let is_another = is_named && !id.is_empty() && !call.id.is_empty() && *call.id != *id;
            if !is_another {
                if call.id.is_empty() && !id.is_empty() {
                    call.id = id.into();
                }
                return self.calls.get_mut(place);
            }
        }
        if self.calls.len() == CALLS_MAX {
            return None;
        }
        let of_choice = || self.calls.iter().filter(|call| call.choice == choice);
        let free = told.filter(|told| of_choice().all(|call| call.given != *told));
        let given = free.unwrap_or_else(|| of_choice().map(|call| call.given).max().map_or(0, |last| last.saturating_add(1)));
        self.calls.push(Call { choice, told, id: id.into(), given, is_made: false });
        self.calls.last_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(pieces: &[(u32, u32, &str, bool)]) -> Vec<u32> {
        let mut places = ToolPlaces::default();
        let mut place = |&(choice, told, id, is_named): &(u32, u32, &str, bool)| {
            places.of(Piece { choice, told: Some(told), id: id.as_bytes(), is_named }).place
        };
        pieces.iter().map(&mut place).collect()
    }

    #[test]
    fn a_provider_that_counts_is_left_alone() {
        assert_eq!(
            places(&[(0, 0, "a", true), (0, 0, "", false), (0, 1, "b", true), (0, 0, "", false), (0, 1, "b", false)]),
            [0, 0, 1, 0, 1]
        );
        assert_eq!(places(&[(0, 3, "a", true), (1, 3, "a", true), (0, 3, "a", true)]), [3, 3, 3], "its name may be repeated");
        assert_eq!(places(&[(0, 0, "", true), (0, 0, "a", true), (0, 0, "a", true)]), [0, 0, 0], "an id may come late");
    }

    #[test]
    fn calls_at_one_place_are_told_apart_by_their_ids() {
        assert_eq!(places(&[(0, 0, "a", true), (0, 0, "b", true), (0, 0, "", false), (0, 0, "c", true)]), [0, 1, 1, 2]);
        assert_eq!(places(&[(0, 0, "a", true), (0, 0, "b", true), (0, 1, "c", true), (0, 1, "", false)]), [0, 1, 2, 2]);
        assert_eq!(places(&[(0, 0, "a", true), (1, 0, "b", true)]), [0, 0], "every choice counts for itself");
    }

    #[test]
    fn without_a_place_a_name_begins_a_call() {
        let mut places = ToolPlaces::default();
        let mut place = |id: &str, is_named: bool| places.of(Piece { choice: 0, told: None, id: id.as_bytes(), is_named }).place;
        assert_eq!(
            [place("", true), place("", false), place("", true), place("c", true), place("", false), place("c", true)],
            [0, 0, 1, 2, 2, 2]
        );
    }

    #[test]
    fn a_call_without_an_id_gets_one_and_keeps_it() {
        let mut places = ToolPlaces::default();
        let mut id = |told: u32, id: &str, is_named: bool| places.of(Piece { choice: 0, told: Some(told), id: id.as_bytes(), is_named }).id;
        assert_eq!([id(0, "", true), id(0, "", false), id(0, "late", false)], [Id::Made, Id::AsTold, Id::Nothing]);
        assert_eq!([id(1, "b", true), id(1, "", false), id(1, "b", true)], [Id::AsTold; 3]);
        assert_eq!([id(2, "c", false), id(2, "", true)], [Id::AsTold; 2], "an id may come before the name");
    }

    #[test]
    fn memory_is_bounded() {
        let mut places = ToolPlaces::default();
        for index in 0..10_000_u32 {
            places.of(Piece { choice: 0, told: Some(0), id: &index.to_le_bytes(), is_named: true });
        }
        assert_eq!(places.calls.len(), CALLS_MAX);
    }
}
