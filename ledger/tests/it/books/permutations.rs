//! T4: any allowed order and any number of copies of the same facts make the same charges.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger::apply::{Applied, LedgerAccount, State};
use proptest::prelude::*;
use schemas::{AccountId, Day, KeyId, NanoUsd, RequestId};

use super::fixture::{Author, account, fold, request};

/// The facts about one request, in the order of their making; where `ordered` they must not overtake.
#[derive(Debug, Clone)]
enum Story {
    Settled {
        charge: i64,
    },
    /// The reaper was too early, or recovery gave up too soon: any order.
    LateSettle {
        charge: i64,
        recovered: bool,
    },
    Released {
        cost: i64,
    },
    /// A refund follows its charge.
    Refunded {
        charge: i64,
        refund: i64,
    },
    Topup {
        amount: i64,
    },
}

fn story() -> impl Strategy<Value = Story> {
    prop_oneof![
        (0..1_000_i64).prop_map(|charge| Story::Settled { charge }),
        (1..1_000_i64, any::<bool>()).prop_map(|(charge, recovered)| Story::LateSettle { charge, recovered }),
        (0..50_i64).prop_map(|cost| Story::Released { cost }),
        (1..1_000_i64, 1..1_200_i64).prop_map(|(charge, refund)| Story::Refunded { charge, refund }),
        (1..5_000_i64).prop_map(|amount| Story::Topup { amount }),
    ]
}

/// Facts of one story that may be reordered, in stages that may not.
fn stages(author: &mut Author, number: usize, story: &Story) -> Vec<Vec<Bytes>> {
    let (who, id) = (account(number as u128 % 5), request(number as u128));
    match story {
        Story::Settled { charge } => vec![vec![author.settled(who, id, *charge)]],
        Story::LateSettle { charge, recovered: false } => vec![vec![author.expired(who, id), author.settled(who, id, *charge)]],
        Story::LateSettle { charge, recovered: true } => {
            vec![vec![author.released(who, id, true, None), author.settled(who, id, *charge), author.expired(who, id)]]
        }
        Story::Released { cost } => vec![vec![author.released(who, id, false, Some(*cost))]],
        Story::Refunded { charge, refund } => {
            vec![vec![author.settled(who, id, *charge)], vec![author.refund(who, &format!("r{number}"), *refund, id)]]
        }
        Story::Topup { amount } => vec![vec![author.topup(who, &format!("t{number}"), *amount)]],
    }
}

/// What must not depend on the order.
#[derive(Debug, PartialEq)]
struct Sums {
    charges: BTreeMap<RequestId, NanoUsd>,
    balances: BTreeMap<AccountId, (NanoUsd, NanoUsd, NanoUsd)>,
    key_spend: BTreeMap<(KeyId, Day), NanoUsd>,
    postings: BTreeMap<LedgerAccount, i128>,
}

fn sums(state: &State, applied: &[Applied]) -> Sums {
    let mut postings: BTreeMap<LedgerAccount, i128> = BTreeMap::new();
    for one in applied {
        let Applied::Entered(entered) = one else { continue };
        let legs = &entered.booking.postings;
        assert_eq!(legs.iter().map(|posting| i128::from(posting.amount.nanos())).sum::<i128>(), 0, "I1");
        for posting in legs {
            *postings.entry(posting.account).or_default() += i128::from(posting.amount.nanos());
        }
    }
    postings.retain(|_, sum| *sum != 0);
    for (id, known) in &state.accounts {
        let posted = postings.get(&LedgerAccount::Customer(*id)).copied().unwrap_or(0);
        assert_eq!(posted, i128::from(known.balance.nanos()), "I1: a balance is its postings");
    }
    Sums {
        charges: state.requests.iter().map(|(id, known)| (*id, known.charge)).collect(),
        balances: state.accounts.iter().map(|(id, known)| (*id, (known.balance, known.credits, known.usage))).collect(),
        key_spend: state.key_spend.iter().map(|(key, spend)| (*key, spend.spent)).collect(),
        postings,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn order_and_copies_do_not_change_what_is_charged(
        stories in prop::collection::vec(story(), 1..30),
        copies in prop::collection::vec((1..=5_usize, any::<u64>()), 120),
    ) {
        let mut author = Author::new(1);
        let stories: Vec<Vec<Vec<Bytes>>> = stories.iter().enumerate().map(|(number, story)| stages(&mut author, number, story)).collect();
        let in_order: Vec<Bytes> = stories.iter().flatten().flatten().cloned().collect();
        // Every copy draws a place; a fact's first copy of a later stage stands behind an earlier stage's first.
        let mut draws = copies.iter().cycle();
        let mut placed: Vec<(u64, Bytes)> = Vec::new();
        for stages in &stories {
            let mut not_before = 0;
            for stage in stages {
                let mut first = 0;
                for fact in stage {
                    let (count, place) = draws.next().copied().unwrap_or((1, 0));
                    let place = not_before + place % 1_000_000;
                    first = first.max(place);
                    for copy in 0..count as u64 {
                        placed.push((place + copy * (place % 7) * 1_000, fact.clone()));
                    }
                }
                not_before = first + 1;
            }
        }
        placed.sort_by_key(|(place, _)| *place);
        let shuffled: Vec<Bytes> = placed.into_iter().map(|(_, fact)| fact).collect();

        let (state, applied) = fold(&in_order);
        let expected = sums(&state, &applied);
        let (state, applied) = fold(&shuffled);
        prop_assert_eq!(sums(&state, &applied), expected);
    }
}
