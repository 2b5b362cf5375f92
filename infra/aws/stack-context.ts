/** What every part of the stack gets. */
import type { Alarms } from './alarms.ts';
import type { BundleFolders } from './bundle.ts';
import type { Names } from './names.ts';
import type { Settings } from './settings.ts';
import type { Storage } from './storage.ts';

export interface StackContext {
  readonly settings: Settings;
  readonly names: Names;
  readonly storage: Storage;
  readonly bundles: BundleFolders;
  readonly alarms: Alarms;
}
