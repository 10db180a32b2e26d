import django.db.models.deletion
import partwell.signals.states
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('signals', '0001_initial'), ('signals', '0002_security_events'), ('signals', '0003_account_enabled')]

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Message',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=40)),
                ('to', models.EmailField(max_length=254)),
                ('subject', models.CharField(max_length=200)),
                ('sealed_text', models.TextField(blank=True)),
                ('dedupe_key', models.CharField(max_length=200, unique=True)),
                ('scope', models.CharField(max_length=80)),
                ('state', models.CharField(choices=[('queued', 'queued'), ('sent', 'sent'), ('failed', 'failed'), ('dropped', 'dropped')], default=partwell.signals.states.MailState['QUEUED'], max_length=8)),
                ('created_at', models.DateTimeField()),
                ('not_before_at', models.DateTimeField()),
                ('next_attempt_at', models.DateTimeField()),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('lease', models.CharField(blank=True, max_length=32)),
                ('leased_until', models.DateTimeField(blank=True, null=True)),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('last_error', models.CharField(blank=True, max_length=500)),
            ],
            options={
                'ordering': ['-created_at', 'pk'],
                'indexes': [models.Index(condition=models.Q(('state', partwell.signals.states.MailState['QUEUED'])), fields=['next_attempt_at'], name='mail_waiting'), models.Index(fields=['scope', 'kind'], name='mail_by_scope')],
            },
        ),
        migrations.CreateModel(
            name='Receiver',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.SlugField(max_length=60, unique=True)),
                ('title', models.CharField(max_length=120)),
                ('endpoint', models.CharField(max_length=500)),
                ('audience', models.CharField(max_length=500)),
                ('authorization', models.CharField(blank=True, max_length=500)),
                ('ca_file', models.CharField(blank=True, max_length=500)),
                ('signals', models.JSONField(default=list)),
                ('subject_format', models.CharField(choices=[('email', 'email'), ('account', 'account'), ('iss_sub', 'iss_sub')], default=partwell.signals.states.SubjectFormat['EMAIL'], max_length=10)),
                ('subject_issuer', models.CharField(blank=True, max_length=500)),
                ('is_enabled', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='SigningKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kid', models.CharField(max_length=64, unique=True)),
                ('public_jwk', models.JSONField()),
                ('sealed_private', models.TextField(blank=True)),
                ('is_in_use', models.BooleanField(default=True)),
                ('made_at', models.DateTimeField()),
                ('retired_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-made_at', '-pk'],
                'constraints': [models.UniqueConstraint(models.F('is_in_use'), condition=models.Q(('is_in_use', True)), name='signing_key_one_in_use')],
            },
        ),
        migrations.CreateModel(
            name='SecurityEvent',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('signal', models.CharField(choices=[('session-revoked', 'session-revoked'), ('account-disabled', 'account-disabled'), ('account-enabled', 'account-enabled'), ('verification', 'verification')], max_length=20)),
                ('jti', models.CharField(max_length=32, unique=True)),
                ('sealed_claims', models.TextField(blank=True)),
                ('dedupe_key', models.CharField(max_length=64, unique=True)),
                ('scope', models.CharField(max_length=80)),
                ('state', models.CharField(choices=[('queued', 'queued'), ('accepted', 'accepted'), ('failed', 'failed')], default=partwell.signals.states.SignalState['QUEUED'], max_length=8)),
                ('created_at', models.DateTimeField()),
                ('give_up_at', models.DateTimeField()),
                ('next_attempt_at', models.DateTimeField()),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('lease', models.CharField(blank=True, max_length=32)),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('answer', models.CharField(blank=True, max_length=500)),
                ('receiver', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='security_events', to='signals.receiver')),
            ],
            options={
                'ordering': ['-created_at', 'pk'],
                'indexes': [models.Index(condition=models.Q(('state', partwell.signals.states.SignalState['QUEUED'])), fields=['receiver', 'next_attempt_at'], name='signal_waiting'), models.Index(fields=['receiver', '-created_at', 'id'], name='signal_by_receiver')],
            },
        ),
    ]
