/** docs/costs.md has the prices that the code has, and its sums are right. */
import { expect, test } from 'vitest';
import { prices } from '../../lib/model/prices.ts';
import { readPage, tableRows } from './page.ts';

const rows = tableRows(readPage('docs/costs.md'));
const count = (text = '') => Number(text.replaceAll(',', ''));
const dollars = (text = '') => Number(/\$([\d,.]+)/.exec(text)?.[1]?.replaceAll(',', ''));

test('docs/costs.md names the price of a secret', () => {
  expect(rows).toContainEqual(['a secret', `$${prices.secretMonthUsd.toFixed(2)} a month`]);
});

test('docs/costs.md multiplies the price of a secret by the number of bots', () => {
  const perMonth = rows.filter(([bots, , , once]) => /^[\d,]+$/.test(bots ?? '') && once !== undefined);
  expect(perMonth.length).toBeGreaterThan(2);
  for (const [bots, secrets] of perMonth)
    expect(dollars(secrets)).toBeCloseTo(count(bots) * prices.secretMonthUsd, 6);
});

test('docs/costs.md multiplies the price of a network user by the number of users', () => {
  const charges = rows.filter(([users, charge]) => charge?.startsWith(`${users} × `));
  expect(charges.length).toBeGreaterThan(2);
  for (const [users, charge = ''] of charges) {
    const [price, total] = charge.split(' = ');
    expect(dollars(price)).toBe(prices.networkUserUsd);
    expect(dollars(total)).toBe(count(users) * prices.networkUserUsd);
  }
});
