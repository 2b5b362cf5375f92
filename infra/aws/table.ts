/** The table, as lib/model/deployment.ts describes it. */
import { RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, BillingMode, ProjectionType, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import { table as shape } from '../../lib/model/deployment.ts';
import type { Names } from './names.ts';

const text = (name: string) => ({ name, type: AttributeType.STRING });

export const createTable = (scope: Construct, names: Names, key: IKey): Table => {
  const table = new Table(scope, 'Table', {
    tableName: names.table,
    partitionKey: text(shape.partitionKey),
    sortKey: text(shape.sortKey),
    billingMode: BillingMode.PAY_PER_REQUEST,
    encryption: TableEncryption.CUSTOMER_MANAGED,
    encryptionKey: key,
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    deletionProtection: true,
    removalPolicy: RemovalPolicy.RETAIN,
  });
  for (const [indexName, { partitionKey, sortKey, projection }] of Object.entries(shape.indexes)) {
    table.addGlobalSecondaryIndex({
      indexName,
      partitionKey: text(partitionKey),
      sortKey: text(sortKey),
      projectionType: ProjectionType[projection],
    });
  }
  return table;
};
