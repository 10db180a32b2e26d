import django.db.models.deletion
import partwell.journeys.rounds.states
import partwell.journeys.states
import partwell.journeys.template.model
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('journeys', '0001_initial'), ('journeys', '0002_unclaimed_steps'), ('journeys', '0003_template_drafts'), ('journeys', '0004_template_upkeep'), ('journeys', '0005_rounds')]

    initial = True

    dependencies = [
        ('departures', '0001_squashed'),
        ('documents', '0001_initial'),
        ('people', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='TemplateVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('template_id', models.CharField(max_length=60)),
                ('version', models.PositiveIntegerField()),
                ('digest', models.CharField(max_length=64, unique=True)),
                ('title', models.CharField(max_length=140)),
                ('audience', models.CharField(max_length=10)),
                ('source', models.TextField()),
                ('published_at', models.DateTimeField()),
                ('published_by', models.CharField(max_length=300)),
            ],
            options={
                'ordering': ['template_id', '-version'],
                'constraints': [models.UniqueConstraint(models.F('template_id'), models.F('version'), name='template_version_once')],
            },
        ),
        migrations.CreateModel(
            name='Journey',
            fields=[
                ('departure', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='journey', serialize=False, to='departures.departure')),
                ('template_digest', models.CharField(max_length=64)),
                ('state', models.CharField(choices=[('active', 'active'), ('closed', 'closed'), ('withdrawn', 'withdrawn')], default=partwell.journeys.states.JourneyState['ACTIVE'], max_length=12)),
                ('started_at', models.DateTimeField()),
                ('started_by', models.CharField(max_length=300)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('end_reason', models.TextField(blank=True)),
                ('override_reason', models.TextField(blank=True)),
                ('override_by_id', models.BigIntegerField(blank=True, null=True)),
                ('override_by', models.CharField(blank=True, max_length=300)),
                ('override_approved_by', models.CharField(blank=True, max_length=300)),
                ('template', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='journeys', to='journeys.templateversion')),
            ],
        ),
        migrations.CreateModel(
            name='Step',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('key', models.CharField(max_length=60)),
                ('position', models.PositiveIntegerField()),
                ('phase', models.PositiveSmallIntegerField(choices=[(1, 'Notice'), (2, 'Transition planning'), (3, 'Initiation'), (4, 'Knowledge transfer'), (5, 'Asset returns'), (6, 'Data security'), (7, 'Final settlement'), (8, 'Exit interview'), (9, 'Farewell'), (10, 'Future contacts')])),
                ('title', models.CharField(max_length=140)),
                ('guidance', models.TextField(blank=True)),
                ('role', models.CharField(choices=[('hr', 'HR'), ('it_security', 'IT/Security'), ('line_manager', 'Line manager'), ('account_manager', 'Account manager'), ('executive', 'Executive'), ('finance', 'Finance'), ('legal', 'Legal'), ('departing', 'The one who leaves'), ('admin', 'Administrator')], max_length=20)),
                ('owner_name', models.CharField(blank=True, max_length=200)),
                ('queue', models.CharField(blank=True, max_length=140)),
                ('due_rule', models.CharField(max_length=60)),
                ('due_at', models.DateTimeField()),
                ('needs', models.JSONField(default=list)),
                ('waits_for', models.JSONField(default=list)),
                ('condition', models.CharField(blank=True, max_length=500)),
                ('evidence', models.CharField(choices=[('none', 'none'), ('note', 'note'), ('file', 'file'), ('link', 'link'), ('sign_off', 'sign off')], default=partwell.journeys.template.model.EvidenceKind['NONE'], max_length=12)),
                ('kind', models.CharField(choices=[('task', 'task'), ('approval', 'approval'), ('access_approval', 'access approval'), ('deprovision', 'deprovision')], default=partwell.journeys.template.model.StepKind['TASK'], max_length=20)),
                ('visibility', models.CharField(choices=[('inside', 'inside'), ('everybody', 'everybody')], default=partwell.journeys.template.model.Visibility['INSIDE'], max_length=12)),
                ('is_required', models.BooleanField(default=True)),
                ('is_own', models.BooleanField(default=False)),
                ('state', models.CharField(choices=[('blocked', 'blocked'), ('open', 'open'), ('done', 'done'), ('skipped', 'skipped'), ('not_needed', 'not needed'), ('withdrawn', 'withdrawn')], default=partwell.journeys.states.StepState['OPEN'], max_length=12)),
                ('settled_at', models.DateTimeField(blank=True, null=True)),
                ('settled_by', models.CharField(blank=True, max_length=300)),
                ('note', models.TextField(blank=True)),
                ('link', models.URLField(blank=True, max_length=1000)),
                ('skip_reason', models.TextField(blank=True)),
                ('journey', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='journeys.journey')),
                ('owner', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='steps', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['phase', 'position', 'pk'],
                'indexes': [models.Index(fields=['owner', 'state', 'due_at', 'id'], name='step_mine_by_due'), models.Index(fields=['state', 'due_at'], name='step_by_due'), models.Index(condition=models.Q(('owner__isnull', True)), fields=['queue', 'state', 'due_at', 'id'], name='step_queue_by_due'), models.Index(condition=models.Q(('state', partwell.journeys.states.StepState['SKIPPED'])), fields=['settled_at'], name='step_skipped_at'), models.Index(fields=['journey', 'phase', 'state', 'settled_at', 'due_at', 'role', 'key', 'is_own'], name='step_by_phase')],
                'constraints': [models.UniqueConstraint(models.F('journey'), models.F('key'), name='step_key_once_per_journey')],
            },
        ),
        migrations.CreateModel(
            name='Comment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('author', models.CharField(max_length=300)),
                ('text', models.TextField()),
                ('written_at', models.DateTimeField()),
                ('step', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='comments', to='journeys.step')),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='Attachment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attached_by', models.CharField(max_length=300)),
                ('attached_at', models.DateTimeField()),
                ('file', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='documents.storedfile')),
                ('step', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='attachments', to='journeys.step')),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='TemplateDraft',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('template_id', models.CharField(max_length=60, unique=True)),
                ('content', models.JSONField()),
                ('revision', models.PositiveIntegerField(default=1)),
                ('begun_at', models.DateTimeField()),
                ('begun_by', models.CharField(max_length=300)),
                ('edited_at', models.DateTimeField()),
                ('edited_by', models.CharField(max_length=300)),
                ('begun_from', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='drafts', to='journeys.templateversion')),
            ],
            options={
                'ordering': ['template_id'],
            },
        ),
        migrations.CreateModel(
            name='DraftChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('revision', models.PositiveIntegerField()),
                ('differences', models.JSONField()),
                ('changed_at', models.DateTimeField()),
                ('changed_by', models.CharField(max_length=300)),
                ('draft', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='changes', to='journeys.templatedraft')),
            ],
            options={
                'ordering': ['-revision'],
                'constraints': [models.UniqueConstraint(models.F('draft'), models.F('revision'), name='draft_revision_once')],
            },
        ),
        migrations.CreateModel(
            name='TemplateUpkeep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('template_id', models.CharField(max_length=60, unique=True)),
                ('owner_name', models.CharField(blank=True, max_length=200)),
                ('owned_since', models.DateTimeField(blank=True, null=True)),
                ('reviewed_at', models.DateTimeField(blank=True, null=True)),
                ('reviewed_by', models.CharField(blank=True, max_length=300)),
                ('reviewed_version', models.PositiveIntegerField(blank=True, null=True)),
                ('review_note', models.TextField(blank=True)),
                ('owner', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='owned_templates', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['template_id'],
            },
        ),
        migrations.CreateModel(
            name='Round',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=120)),
                ('reason', models.CharField(blank=True, max_length=60)),
                ('notice_date', models.DateField(blank=True, null=True)),
                ('jurisdiction', models.CharField(blank=True, max_length=10)),
                ('confidentiality', models.CharField(choices=[('normal', 'normal'), ('need_to_know', 'need to know')], max_length=20)),
                ('starts_at', models.DateTimeField(blank=True, null=True)),
                ('batch_size', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('state', models.CharField(choices=[('prepared', 'prepared'), ('approved', 'approved'), ('started', 'started'), ('recalled', 'recalled')], default=partwell.journeys.rounds.states.RoundState['PREPARED'], max_length=10)),
                ('digest', models.CharField(max_length=64)),
                ('overview', models.JSONField(default=dict)),
                ('prepared_by', models.CharField(max_length=300)),
                ('prepared_by_id', models.BigIntegerField(blank=True, null=True)),
                ('prepared_at', models.DateTimeField()),
                ('approved_by', models.CharField(blank=True, max_length=300)),
                ('approved_at', models.DateTimeField(blank=True, null=True)),
                ('recalled_by', models.CharField(blank=True, max_length=300)),
                ('recalled_at', models.DateTimeField(blank=True, null=True)),
                ('recall_reason', models.TextField(blank=True)),
                ('template', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rounds', to='journeys.templateversion')),
            ],
            options={
                'ordering': ['-prepared_at', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='RoundMember',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField()),
                ('name', models.CharField(max_length=200)),
                ('email', models.EmailField(max_length=254)),
                ('department', models.CharField(blank=True, max_length=120)),
                ('last_working_date', models.DateField()),
                ('notice_date', models.DateField(blank=True, null=True)),
                ('reason', models.CharField(blank=True, max_length=60)),
                ('steps', models.PositiveSmallIntegerField()),
                ('batch', models.PositiveSmallIntegerField()),
                ('starts_at', models.DateTimeField(blank=True, null=True)),
                ('state', models.CharField(choices=[('waiting', 'waiting'), ('started', 'started'), ('left_out', 'left out'), ('recalling', 'recalling'), ('recalled', 'recalled')], default=partwell.journeys.rounds.states.MemberState['WAITING'], max_length=10)),
                ('note', models.TextField(blank=True)),
                ('outcome', models.JSONField(default=dict)),
                ('is_told', models.BooleanField(default=False)),
                ('departure', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='round_member', to='departures.departure')),
                ('person', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='people.person')),
                ('round', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='members', to='journeys.round')),
            ],
            options={
                'ordering': ['round', 'position'],
                'indexes': [models.Index(fields=['round', 'state', 'position'], name='round_by_state')],
                'constraints': [models.UniqueConstraint(models.F('round'), models.F('position'), name='round_position_once'), models.UniqueConstraint(models.F('round'), models.F('person'), name='round_person_once')],
            },
        ),
        migrations.CreateModel(
            name='RoundParticipant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('capacity', models.CharField(max_length=20)),
                ('round', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='participants', to='journeys.round')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['pk'],
                'constraints': [models.UniqueConstraint(models.F('round'), models.F('user'), name='round_participant_once')],
            },
        ),
    ]
