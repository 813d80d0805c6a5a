//! Usage × price = charge: the one place where money is computed.
//!
//! Products are summed in i128 pico-dollars and rounded **once**, half to even, to nano-dollars. Line
//! items are then given their nano-dollars by largest remainder, so that they always sum to the total.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::money::{MoneyError, NanoUsd, PICOS_PER_NANO, PicoUsd};
use crate::price::PriceTable;
use crate::usage::{TokenKind, Usage};

/// The order in which lines are written.
const KINDS: [TokenKind; 11] = [
    TokenKind::UncachedInput,
    TokenKind::CacheRead,
    TokenKind::CacheWrite5m,
    TokenKind::CacheWrite1h,
    TokenKind::ImageInput,
    TokenKind::AudioInput,
    TokenKind::TextOutput,
    TokenKind::Reasoning,
    TokenKind::ImageOutput,
    TokenKind::AudioOutput,
    TokenKind::Request,
];

/// One line of a charge: `quantity × price_picos`, and its share of the rounded total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CostLine {
    pub amount_nanos: NanoUsd,
    pub kind: TokenKind,
    pub price_picos: PicoUsd,
    pub quantity: u64,
}

/// What one request costs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Charge {
    pub total: NanoUsd,
    /// Lines with a quantity; a request fee only where there is one.
    pub lines: Vec<CostLine>,
    /// Exact picos − 1000 × total: what rounding took (positive) or gave (negative).
    pub rounding_picos: i64,
}

impl Charge {
    /// The lines of these kinds, summed: for a breakdown into prompt and completion.
    pub fn sum(&self, kinds: &[TokenKind]) -> NanoUsd {
        let lines = self.lines.iter().filter(|line| kinds.contains(&line.kind));
        lines.fold(NanoUsd::ZERO, |sum, line| sum.saturating_add(line.amount_nanos))
    }
}

/// Why a charge could not be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CostError {
    #[error("cost does not fit an amount")]
    Overflow(#[from] MoneyError),
}

/// Computes the charge of a usage under a price table.
pub fn charge(table: &PriceTable, usage: &Usage) -> Result<Charge, CostError> {
    let prompt_tokens = usage.prompt_tokens();
    let mut products = [0_i128; KINDS.len()];
    let mut lines = Vec::with_capacity(4);
    let mut total_picos: i128 = 0;
    for kind in KINDS {
        let quantity = usage.tokens(kind);
        let price = table.price(kind, prompt_tokens);
        if quantity == 0 || (kind == TokenKind::Request && price == PicoUsd::ZERO) {
            continue;
        }
        let product = i128::from(quantity) * i128::from(price.picos());
        products[lines.len()] = product;
        total_picos += product;
        lines.push(CostLine { amount_nanos: NanoUsd::ZERO, kind, price_picos: price, quantity });
    }
    let (total, rounding_picos) = NanoUsd::from_picos_half_even(total_picos)?;
    share_by_largest_remainder(&mut lines, &products, total)?;
    Ok(Charge { total, lines, rounding_picos })
}

/// Gives every line the floor of its exact share, then one nano more to those with the largest
/// remainders (earlier lines first among equals) until the lines sum to the total.
fn share_by_largest_remainder(lines: &mut [CostLine], products: &[i128], total: NanoUsd) -> Result<(), CostError> {
    let unit = i128::from(PICOS_PER_NANO);
    let mut floors = 0_i64;
    for (line, product) in lines.iter_mut().zip(products) {
        let nanos = i64::try_from(product / unit).map_err(|_| MoneyError::OutOfRange)?;
        line.amount_nanos = NanoUsd::from_nanos(nanos);
        floors = floors.checked_add(nanos).ok_or(MoneyError::OutOfRange)?;
    }
    let missing = usize::try_from(total.nanos() - floors).unwrap_or(0);
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(products[*index] % unit));
    for index in order.into_iter().take(missing) {
        lines[index].amount_nanos = lines[index].amount_nanos.checked_add(NanoUsd::from_nanos(1))?;
    }
    Ok(())
}
