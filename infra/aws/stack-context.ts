/** What every construct of the stack is given. */
import type { Alarms } from './alarms.ts';
import type { BundleFolders } from './bundle.ts';
import type { Names } from './names.ts';
import type { Settings } from './settings.ts';
import type { Keeping } from './storage.ts';

export interface House {
  readonly settings: Settings;
  readonly names: Names;
  readonly keeping: Keeping;
  readonly bundles: BundleFolders;
  readonly alarms: Alarms;
}
